/* sampler/tasks/task_labels.c owns the names of tasks in a recording, each with a number. */
#include "sampler/tasks/task_labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LABELS 1000u /* further names share one label */
#define LABEL_SLOTS 2048u
#define NO_NAME "<task>"

struct task_labels {
    char *names[MAX_LABELS];     /* owned; that of NO_LABEL is NULL */
    uint16_t slots[LABEL_SLOTS]; /* label number, 0 = free */
    uint32_t n;
};

struct task_labels *
task_labels_new(void)
{
    struct task_labels *labels = calloc(1, sizeof *labels);
    if (labels != NULL) {
        labels->n = 1;
    }
    return labels;
}

void
task_labels_free(struct task_labels *labels)
{
    for (uint32_t i = 0; labels != NULL && i < labels->n; i++) {
        free(labels->names[i]);
    }
    free(labels);
}

uint32_t
task_label(struct task_labels *labels, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    }
    uint32_t slot = mix_key(hash) % LABEL_SLOTS;
    while (labels->slots[slot] != 0) {
        uint32_t label = labels->slots[slot];
        if (strcmp(labels->names[label], name) == 0) {
            return label;
        }
        slot = (slot + 1) % LABEL_SLOTS;
    }
    if (labels->n == MAX_LABELS) {
        return NO_LABEL;
    }
    char *kept = strdup(name);
    if (kept == NULL) {
        return NO_LABEL;
    }
    labels->names[labels->n] = kept;
    labels->slots[slot] = (uint16_t)labels->n;
    return labels->n++;
}

const code_entry *
sampler_find_label(sampler *s, uint64_t code)
{
    const code_entry *entry = sample_log_find_code(&s->log, code);
    uint64_t label = code >> 1;
    if (entry != NULL) {
        return entry;
    }
    const char *name = s->labels != NULL && label < s->labels->n ? s->labels->names[label] : NULL;
    code_names *names = &s->names;
    names->first_line = names->n_units = names->linetable_bytes = 0;
    names->filename_bytes = (uint32_t)strlen(TASKS_PATH);
    memcpy(names->filename, TASKS_PATH, names->filename_bytes);
    int n = name == NULL ? snprintf(names->qualname, MAX_TEXT_BYTES, NO_NAME)
                         : snprintf(names->qualname, MAX_TEXT_BYTES, "<task %s>", name);
    names->qualname_bytes = (uint32_t)n;
    return sample_log_add_code(&s->log, code, names);
}
