"""Reading what happened: exports of the app, record by record, in bounded memory."""
