from spots_ml_tests.interactions.small_exports import build, make_record, now, read_rows, write_export

__all__ = ["build", "make_record", "now", "read_rows", "write_export"]
