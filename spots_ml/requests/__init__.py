"""What is asked: reading score requests, and which of them belong to a day. What answers them is in `scoring`."""
