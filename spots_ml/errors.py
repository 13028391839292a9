"""The one family of errors that this project raises on purpose.

Every message says what was found, what was expected and what to do. Programming mistakes are not wrapped here.
"""


class SpotsMLError(Exception):
    """Base of every error a user can act on."""


class InputError(SpotsMLError):
    """A source (file, store, record stream) cannot be read as what it claims to be."""


class ConfigError(SpotsMLError):
    """A setting, a profile or a command-line option is missing, unknown or out of range."""


class RefusalError(SpotsMLError):
    """Base of every answer no: nothing broke, and the same inputs would be refused again."""


class InsufficientDataError(RefusalError):
    """The data is well-formed, but there is too little of it (rows, labels, variation) to train."""


class ValidationFailedError(RefusalError):
    """Too large a share of the records is broken, or an expectation on the accepted rows does not hold."""


class ContractError(SpotsMLError):
    """Something was made for another feature contract than the one in force."""


class ArtifactError(SpotsMLError):
    """A stored artifact is missing, damaged or not what its name or digest says."""


class CertificationError(RefusalError):
    """An ONNX file is not fit for the phone; every finding is listed at once."""


class GateError(RefusalError):
    """A release gate said no, or a required verdict is missing; the numbers are in the message."""


class RegistryError(SpotsMLError):
    """A version does not exist, or the change of state asked for is not allowed."""


class MachineError(SpotsMLError):
    """The machine says no (disk, rights, limits); nothing is said about the data."""


class BusyError(SpotsMLError):
    """The same work is under way in another process."""
