"""The versioned configuration: one schema, defaults with unit and reason."""

from ullage.config.describing import explain as explain
from ullage.config.describing import json_schema as json_schema
from ullage.config.describing import reference as reference
from ullage.config.describing import schema_text as schema_text
from ullage.config.overrides import override as override
from ullage.config.overrides import parse_thresholds as parse_thresholds
from ullage.config.overrides import with_thresholds as with_thresholds
from ullage.config.reading import load_text as load_text
from ullage.config.reading import parse as parse
from ullage.config.reading import to_document as to_document
from ullage.config.schema import Band as Band
from ullage.config.schema import Configuration as Configuration
from ullage.config.schema import defaults as defaults
