/* sampler/calls.c reads, when sampling ends, the instructions that frames were at, and logs those that call C
 * functions: a sample whose innermost frame is at one was taken in that function. Nothing is read during sampling. */
#include "sampler/calls.h"

#include "sampler/sampler_source.h"
#include "walk/calls.h"

#include <stdlib.h>

#define MAX_PLACES (1u << 20)
#define MAX_BYTECODE (1u << 16) /* bytes read at a time */

typedef struct place {
    uint32_t code;
    uint32_t unit;
} place;

static int
compare_places(const void *left, const void *right)
{
    const place *a = left, *b = right;
    if (a->code != b->code) {
        return a->code < b->code ? -1 : 1;
    }
    return (a->unit > b->unit) - (a->unit < b->unit);
}

/* Return the places of all nodes, each once, sorted. Owned; NULL if there is no memory or no place. */
static place *
sorted_places(const sample_log *log, uint32_t *n)
{
    place *places =
        log->nodes_used == 0 || log->nodes_used > MAX_PLACES ? NULL : malloc(log->nodes_used * sizeof *places);
    uint32_t n_found = 0;
    for (uint32_t i = 0; places != NULL && i < log->nodes_room; i++) {
        const node_entry *node = &log->nodes[i];
        if (node->id != NO_NODE && node->unit != UNIT_UNKNOWN && n_found < log->nodes_used) {
            places[n_found++] = (place){node->code, node->unit};
        }
    }
    if (places != NULL) {
        qsort(places, n_found, sizeof *places, compare_places);
    }
    *n = 0;
    for (uint32_t i = 0; i < n_found; i++) {
        if (*n == 0 || compare_places(&places[*n - 1], &places[i]) != 0) {
            places[(*n)++] = places[i];
        }
    }
    return places;
}

/* Return the opcode at a unit of a code object; -1 if it can't be read. `bytecode` contains the units from `*first`
 * on. */
static int
opcode_at(sampler *s, const code_entry *code, uint32_t unit, unsigned char *bytecode, uint32_t *first,
          uint32_t *n_units)
{
    if (unit < *first || unit - *first >= *n_units) {
        uint32_t left = unit < code->n_units ? code->n_units - unit : 0;
        *first = unit;
        *n_units = left < MAX_BYTECODE / 2 ? left : MAX_BYTECODE / 2;
        uint64_t address = code->address + s->interpreter.offsets.code_adaptive + 2 * (uint64_t)unit;
        if (*n_units == 0 || memory_read(&s->memory, address, bytecode, 2 * (size_t)*n_units) < 0) {
            *n_units = 0;
            return -1;
        }
    }
    return bytecode[2 * (size_t)(unit - *first)];
}

/* Log the calls among the places of one code object, which are `n` consecutive ones. */
static void
log_calls_of(sampler *s, code_entry *code, const place *places, uint32_t n, unsigned char *bytecode, uint32_t *units)
{
    uint32_t first = 0, n_units = 0, n_calls = 0;
    for (uint32_t i = 0; i < n; i++) {
        int opcode = opcode_at(s, code, places[i].unit, bytecode, &first, &n_units);
        if (opcode < 0) {
            return;
        }
        if (call_is_native(s->interpreter.offsets.version, (unsigned)opcode)) {
            units[n_calls++] = places[i].unit;
        }
    }
    s->source->check_code(s, code);
    if (n_calls > 0 && code->id == places[0].code) { /* else another object's memory was read */
        sample_log_add_calls(&s->log, code->id, units, n_calls);
    }
}

void
sampler_log_calls(sampler *s)
{
    if (s->memory.pid == MEMORY_DIRECT) {
        return; /* what it reads must be alive, and some of it may not be */
    }
    uint32_t n = 0;
    place *places = sorted_places(&s->log, &n);
    code_entry **codes = calloc(s->log.next_code_id, sizeof *codes);
    unsigned char *bytecode = malloc(MAX_BYTECODE);
    uint32_t *units = malloc((n + 1) * sizeof *units);
    if (places != NULL && codes != NULL && bytecode != NULL && units != NULL) {
        s->n_walks++; /* makes code be checked again */
        for (uint32_t i = 0; i < s->log.codes_room; i++) {
            code_entry *code = &s->log.codes[i];
            if (code->address != 0 && code->id != NO_CODE && code->id < s->log.next_code_id) {
                codes[code->id] = code;
            }
        }
        for (uint32_t i = 0, end; i < n; i = end) {
            for (end = i + 1; end < n && places[end].code == places[i].code; end++) {
            }
            if (places[i].code < s->log.next_code_id && codes[places[i].code] != NULL) {
                log_calls_of(s, codes[places[i].code], places + i, end - i, bytecode, units);
            }
        }
    }
    free(places);
    free(codes);
    free(bytecode);
    free(units);
}
