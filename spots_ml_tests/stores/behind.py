"""What stands behind a store: the file of the embedded one, the project of one on Supabase."""


def file_of(store):
    return store.versions._database.path


def calls_of(store):
    return store.versions._calls
