"""Checks one bill of materials against CycloneDX's schema."""

import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = Path(sys.argv[1]).read_text()
error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
sys.exit(f"{sys.argv[1]}: {error}" if error else 0)
