"""What comes in from an app: exports, and what they tell of phones' decisions."""
