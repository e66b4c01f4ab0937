"""A catalogue as a static website: `build` makes the pages, `write` writes the folder."""

from contracts.publish.site.pages import build
from contracts.publish.site.source import SiteSource, compared, read_source
from contracts.publish.site.writing import SiteFolderError, write

__all__ = ["SiteFolderError", "SiteSource", "build", "compared", "read_source", "write"]
