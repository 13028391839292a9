"""Commands about versions: looking at them, changing which one rules, carrying them to phones and other stores."""
