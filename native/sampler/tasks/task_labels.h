/* Names of tasks, by which the log distinguishes their frames. Plain C: no Python.h. They belong to the sampling
 * thread. */
#ifndef FOOTFALL_SAMPLER_TASK_LABELS_H
#define FOOTFALL_SAMPLER_TASK_LABELS_H

#include "sampler/sampler.h"

#define NO_LABEL 0u /* for tasks without a name of their own */

/* The frame of a task in a stack has no code object: instead of its address there is the label's number, made odd. */
#define LABEL_AS_CODE(label) ((uint64_t)(label) << 1 | 1)
#define IS_LABEL(code) (((code) & 1) != 0)

/* Owned; NULL without memory. */
struct task_labels *task_labels_new(void);
void task_labels_free(struct task_labels *labels);

/* Return the number of a name; NO_LABEL if there is no room for more. */
uint32_t task_label(struct task_labels *labels, const char *name);

/* Return the entry of a task's frame in the log. NULL without memory or if the log has ended. */
const code_entry *sampler_find_label(sampler *s, uint64_t code);

/* Spread a key's bits, for a table of slots. */
static inline uint32_t
mix_key(uint64_t key)
{
    key ^= key >> 33;
    key *= 0xff51afd7ed558ccdu;
    key ^= key >> 33;
    return (uint32_t)key;
}

#endif
