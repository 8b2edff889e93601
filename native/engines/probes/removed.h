/* The places where probes were removed from running bytecode: one list for each code object, kept with it. All
 * functions need the GIL and set no exceptions unless they say so. */
#ifndef FOOTFALL_ENGINES_PROBES_REMOVED_H
#define FOOTFALL_ENGINES_PROBES_REMOVED_H

#include "engines/probes/site.h"

typedef struct removed_list {
    struct removed_probes *first; /* owned by their code objects */
    Py_ssize_t extra_index;       /* of each code object's list; -1 when no slot is free */
    int is_open;
} removed_list;

/* Request a slot, and make code objects hash, compare and disassemble as they were compiled. Does nothing if the list
 * is open. */
void removed_list_open(removed_list *list);

/* Forget the lists, which stay with their code objects: the probes are no longer put back. */
void removed_list_close(removed_list *list);

/* Remove a probe and remember it. 0, or -1 if it stays in, which is only slower. */
int removed_list_add(removed_list *list, const probe_site *site);

/* Put all back. Returns how many there were. */
size_t removed_list_put_back(removed_list *list);

#endif
