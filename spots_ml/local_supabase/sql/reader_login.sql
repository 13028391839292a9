-- The role that reads in bulk may log in here; this server listens on this machine alone and asks nobody for a password.

alter role spots_ml_reader login;
