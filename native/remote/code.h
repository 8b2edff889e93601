/* Code objects of another process. Plain C: no Python.h. */
#ifndef FOOTFALL_REMOTE_CODE_H
#define FOOTFALL_REMOTE_CODE_H

#include "remote/target.h"

/* Return whether `entry` is still the code object that was read; if not, it is erased. */
int remote_is_same_code(sampler *s, code_entry *entry);
/* Read a code object into s->names, and the digest of its header, which was the same before and after; the second
 * function then remembers in its entry what distinguishes it from its successors. */
walk_status remote_read_code(sampler *s, uint64_t address, uint64_t *header);
void remote_note_code(const sampler *s, code_entry *entry, uint64_t header);

#endif
