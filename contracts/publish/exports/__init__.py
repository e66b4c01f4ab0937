"""A catalogue in the words of other standards: AsyncAPI, Open Data Contract Standard, CloudEvents types."""
