"""A folder into which a legacy system drops CSV files."""

from connectors.drop_folder.source import DropFolderOptions, DropFolderSource

__all__ = ["DropFolderOptions", "DropFolderSource"]
