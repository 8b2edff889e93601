/* inside/code_deaths.c reads the notices of freed code objects that inside/watch.c records.
 *
 * Why a reused address does not get a wrong name: code objects are recorded before their memory is freed. The records
 * are applied after the stack was copied and before addresses are looked up, so what is in the table is right for the
 * copy. What is not in the table is read now, after the copy: if it was recorded as freed since before the copy, it may
 * be another object, so it is not logged, and the sample is dropped. A frame that was just being created when it was
 * copied may still have the code of an earlier frame, which was freed long ago: then there is no longer an object
 * (walk/code.c), or another one that is taken for it. */
#include "inside/code_deaths.h"

#include "inside/inside_data.h"

static uint64_t
count_deaths(const code_deaths *deaths)
{
    return atomic_load_explicit(&deaths->ring.head, memory_order_acquire);
}

/* The slots from `from` on may be overwritten while they are read; near the limit this is assumed to have happened. */
static int
is_ring_lost(uint64_t head, uint64_t from)
{
    return head - from > RING_SLOTS - 64;
}

void
inside_before_walk(sampler *s)
{
    code_deaths *deaths = &inside_data_of(s)->deaths;
    deaths->n_before_walk = count_deaths(deaths);
}

void
inside_apply_deaths(sampler *s)
{
    code_deaths *deaths = &inside_data_of(s)->deaths;
    uint64_t head = count_deaths(deaths);
    for (uint64_t i = deaths->n_applied; i < head && !is_ring_lost(head, deaths->n_applied); i++) {
        sample_log_erase_code(&s->log, deaths->ring.slots[i % RING_SLOTS]);
    }
    if (is_ring_lost(count_deaths(deaths), deaths->n_applied)) {
        sample_log_erase_all_codes(&s->log);
    }
    deaths->n_applied = head;
}

int
inside_has_died(const sampler *s, uint64_t address)
{
    const code_deaths *deaths = &inside_data_of(s)->deaths;
    /* What was read from the object was read before the count. */
    atomic_thread_fence(memory_order_acquire);
    uint64_t head = count_deaths(deaths);
    for (uint64_t i = deaths->n_before_walk; i < head && !is_ring_lost(head, deaths->n_before_walk); i++) {
        if (deaths->ring.slots[i % RING_SLOTS] == address) {
            return 1;
        }
    }
    return is_ring_lost(count_deaths(deaths), deaths->n_before_walk);
}
