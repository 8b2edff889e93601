"""Print the rows of src/footfall/analyze/opcodes.py for the interpreter that runs this.

Run it under each CPython from 3.14 on, and paste its row into the table there:

    python3.14 tools/gen_opcodes.py; python3.15 tools/gen_opcodes.py
"""

import opcode
import sys


def main() -> None:
    """Write one row: the numbers that this version gives to the instructions that steer control."""
    sys.path.insert(0, "src")
    from footfall.analyze.opcodes import Opcodes

    print(f"    ({sys.version_info[0]}, {sys.version_info[1]}): Opcodes(")
    for field in Opcodes._fields:
        print(f"        {field}={opcode.opmap[field.upper()]},")
    print("    ),")


if __name__ == "__main__":
    main()
