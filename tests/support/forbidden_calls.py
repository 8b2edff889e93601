"""Text for programs that forbid themselves, and processes that they start, to read memory by system calls.

SECCOMP forbids process_vm_readv and preadv, by which footfall reads /proc/self/mem; SECCOMP_ONE process_vm_readv alone. Ends
with status 77 if that is not allowed. The system calls' numbers are x86-64's.
"""

__all__ = ["SECCOMP", "SECCOMP_ONE"]

SECCOMP_ONE = """
import ctypes, struct
def forbid(number):
    # Load the system call's number; equal: return EPERM; else allow.
    rules = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *rule) for rule in rules))
    program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(rules), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        raise SystemExit(77)
forbid(310)
"""

SECCOMP = SECCOMP_ONE + "forbid(295)\n"
