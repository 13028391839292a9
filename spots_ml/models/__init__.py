"""What a model is: one declaration per kind. Everything else asks it; nothing is computed here."""
