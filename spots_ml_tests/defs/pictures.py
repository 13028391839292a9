"""Reads the pictures of the asset pages."""

import re
from urllib.parse import unquote
from xml.etree import ElementTree


def svg(value):
    alt, address = re.fullmatch(r"!\[(.*)\]\(<data:image/svg\+xml,(.*)>\)", value.value).groups()
    assert not set("<>#") & set(address)
    return alt, ElementTree.fromstring(unquote(address))


def texts(root):
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
