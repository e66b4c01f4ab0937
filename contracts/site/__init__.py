"""A catalogue as a static website: `build` makes its pages, `write` its folder."""

from contracts.site.pages import build
from contracts.site.source import Source, compared, read_source
from contracts.site.writing import SiteFolderError, write

__all__ = ["SiteFolderError", "Source", "build", "compared", "read_source", "write"]
