from spots_ml_tests.interactions.small_exports import make_record, write_export

__all__ = ["make_record", "write_export"]
