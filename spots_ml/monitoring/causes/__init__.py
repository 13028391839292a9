"""What calls for a retraining beside counts of labels and age: requests, a champion that fell, inputs that drifted."""
