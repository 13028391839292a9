"""The client kit: what an app team needs to prove that its phone code computes what this project computes."""
