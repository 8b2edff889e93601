/* engines/other_context_events.c owns two kinds of lists by context: events at numbered places, and pairs of lines. It
 * records nothing. */
#include "engines/other_context_events.h"

#include <stdlib.h>

other_context_events *
other_context_events_of(other_context_events **list, uint32_t context_id, uint32_t generation, size_t n)
{
    other_context_events *found = *list;
    while (found != NULL && (found->context_id != context_id || found->generation != generation)) {
        found = found->next;
    }
    if (found == NULL) {
        found = calloc(1, sizeof *found + n);
        if (found != NULL) {
            *found = (other_context_events){*list, context_id, generation};
            *list = found;
        }
    }
    return found;
}

void
other_context_events_free(other_context_events **list)
{
    while (*list != NULL) {
        other_context_events *next = (*list)->next;
        free(*list);
        *list = next;
    }
}

/* Give a set new memory, with room for twice as many pairs. */
static int
grow(pair_set *set)
{
    pair_set bigger = {NULL, pair_set_room(set->n_used * 2), 0};
    bigger.slots = calloc(bigger.n_slots, sizeof *bigger.slots);
    if (bigger.slots == NULL || bigger.n_slots <= set->n_slots) {
        free(bigger.slots);
        return -1;
    }
    for (uint32_t i = 0; i < set->n_slots; i++) {
        pair_set_add(&bigger, (int32_t)(uint32_t)set->slots[i], (int32_t)(set->slots[i] >> 32));
    }
    free(set->slots);
    *set = bigger;
    return 0;
}

int
other_context_pairs_add(other_context_pairs **list, uint32_t context_id, uint32_t generation, int32_t from, int32_t to)
{
    other_context_pairs *found = *list;
    while (found != NULL && (found->context_id != context_id || found->generation != generation)) {
        found = found->next;
    }
    if (found == NULL) {
        found = calloc(1, sizeof *found);
        if (found == NULL) {
            return -1;
        }
        *found = (other_context_pairs){*list, context_id, generation, {NULL, 0, 0}};
        *list = found;
    }
    uint32_t n_before = found->pairs.n_used;
    if (!pair_set_add(&found->pairs, from, to) && (grow(&found->pairs) < 0 || !pair_set_add(&found->pairs, from, to))) {
        return -1;
    }
    return found->pairs.n_used != n_before;
}

void
other_context_pairs_free(other_context_pairs **list)
{
    while (*list != NULL) {
        other_context_pairs *next = (*list)->next;
        free((*list)->pairs.slots);
        free(*list);
        *list = next;
    }
}
