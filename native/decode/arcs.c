/* arcs.c walks a graph along what is known to have run. See analyze/bytecode/arcs.py, which does the same and explains
 * each step; a test compares the two. */
#include "decode/arcs.h"

#include "record/format.h"

#include <string.h>

#define UNKNOWN (-1)
#define GOLDEN UINT64_C(0x9E3779B97F4A7C15) /* 2**64 / golden ratio: spreads neighbours */

/* The position of a walk: at `unit`, after a LINE event for `last_line`; `origin` raised the current exception, if the
 * walk saw it. */
typedef struct walk_step {
    int32_t unit, last_line, origin;
} walk_step;

/* Which way the end of an `except*` at `unit` went when `line` came before it. */
typedef struct except_star_way {
    int32_t unit, line;
    uint8_t flags;
} except_star_way;

typedef struct walker {
    const code_graph *graph;
    const uint8_t *events;
    uint8_t exit_flag;
    int32_t exit; /* the end of an arc that leaves the code */
    except_star_way *except_star_ways;
    Py_ssize_t n_except_star_ways;
    /* The steps of the current walk: those before `n_done` have been taken. `slots` finds them. */
    walk_step *steps;
    int32_t n_steps, n_done, n_slots;
    int32_t *slots; /* numbers of steps, plus 1; a power of 2, at least twice the steps */
    PyObject *lines, *arcs;
    uint8_t *reached; /* owned, NULL: not wanted; 1 at the units where walks ended: by their LINE event, or an exit */
    int32_t n_reached;
} walker;

static void
note_reached(walker *self, int32_t unit)
{
    if (self->reached != NULL && !self->reached[unit]) {
        self->reached[unit] = 1;
        self->n_reached++;
    }
}

static int
add_line(PyObject *lines, int32_t line)
{
    PyObject *number = PyLong_FromLong(line);
    if (number == NULL) {
        return -1;
    }
    int status = PySet_Add(lines, number);
    Py_DECREF(number);
    return status;
}

static int
add_arc(walker *self, int32_t from, int32_t to)
{
    PyObject *arc = Py_BuildValue("(ii)", (int)from, (int)to);
    if (arc == NULL) {
        return -1;
    }
    int status = PySet_Add(self->arcs, arc);
    Py_DECREF(arc);
    return status;
}

/* From 3.14 the tracer reads the frame's line once more when it returns, and treats no line as -1. */
static int
leave(walker *self, int32_t unit, int32_t last_line)
{
    int32_t line = self->graph->units[unit].line;
    note_reached(self, unit);
    if (line != last_line && add_arc(self, last_line, line) < 0) {
        return -1;
    }
    if (line >= 0 && add_line(self->lines, line) < 0) {
        return -1;
    }
    return add_arc(self, line, self->exit);
}

/* An exception from `unit` left the code, when the last LINE event was for `last_line`. If the instruction is before a
 * RESUME, the C tracer takes the exception for a yield. */
static int
unwind_from(walker *self, int32_t unit, int32_t last_line)
{
    const code_graph *graph = self->graph;
    int is_yield = unit + 1 < graph->n_units && graph->units[unit + 1].op == OP_RESUME;
    return is_yield && graph->units[unit].line >= 0 ? 0 : leave(self, unit, last_line);
}

static uint32_t
slot_of(const walker *self, walk_step step)
{
    uint64_t key = (uint64_t)(uint32_t)step.unit << 32 | (uint32_t)step.last_line;
    key = key * GOLDEN + (uint32_t)step.origin;
    return (uint32_t)((key * GOLDEN) >> 32) & (uint32_t)(self->n_slots - 1);
}

static int
grow_steps(walker *self)
{
    int32_t n_slots = self->n_slots ? self->n_slots * 2 : 64;
    if (n_slots > INT32_MAX / 64) {
        PyErr_NoMemory();
        return -1;
    }
    walk_step *steps = PyMem_Realloc(self->steps, (size_t)n_slots / 2 * sizeof self->steps[0]);
    if (steps != NULL) {
        self->steps = steps;
    }
    int32_t *slots = PyMem_Calloc((size_t)n_slots, sizeof self->slots[0]);
    if (steps == NULL || slots == NULL) {
        PyMem_Free(slots);
        PyErr_NoMemory();
        return -1;
    }
    PyMem_Free(self->slots);
    self->slots = slots;
    self->n_slots = n_slots;
    for (int32_t each = 0; each < self->n_steps; each++) {
        uint32_t at = slot_of(self, self->steps[each]);
        while (slots[at] != 0) {
            at = (at + 1) & (uint32_t)(n_slots - 1);
        }
        slots[at] = each + 1;
    }
    return 0;
}

/* Add a step that has not occurred in this walk. */
static int
add_step(walker *self, walk_step step)
{
    if (self->n_steps >= self->n_slots / 2 && grow_steps(self) < 0) {
        return -1;
    }
    uint32_t at = slot_of(self, step);
    for (; self->slots[at] != 0; at = (at + 1) & (uint32_t)(self->n_slots - 1)) {
        const walk_step *there = &self->steps[self->slots[at] - 1];
        if (there->unit == step.unit && there->last_line == step.last_line && there->origin == step.origin) {
            return 0;
        }
    }
    self->slots[at] = self->n_steps + 1;
    self->steps[self->n_steps++] = step;
    return 0;
}

static void
forget_steps(walker *self)
{
    if (self->n_steps > 0) {
        memset(self->slots, 0, (size_t)self->n_slots * sizeof self->slots[0]);
    }
    self->n_steps = self->n_done = 0;
}

/* Return the last instruction that is reached from `unit` without passing anything of interest. */
static int32_t
skip_plain(const walker *self, int32_t unit)
{
    const code_unit *units = self->graph->units;
    while ((units[unit].op == OP_OTHER || units[unit].op == OP_NOT_TAKEN) && !(self->events[unit] & ~EVENT_LINE)) {
        int32_t target = units[unit].next;
        if (target >= self->graph->n_units || units[target].starts_line) {
            break;
        }
        unit = target;
    }
    return unit;
}

/* Add the next step of the walk, or an arc if a LINE event ended it.
 *
 * CPython sends no LINE event if the instruction that the frame was at has the same line. The frame was at `previous`;
 * if that is unknown, an event that never fired was not sent. */
static int
go(walker *self, walk_step step, int32_t target, int32_t previous)
{
    const code_unit *units = self->graph->units;
    int has_fired = self->events[target] & EVENT_LINE;
    int is_sent = units[target].starts_line;
    if (is_sent && previous == UNKNOWN) {
        is_sent = has_fired;
    }
    else if (is_sent && units[previous].op != OP_RESUME) {
        is_sent = units[previous].line != units[target].line;
    }
    if (!is_sent) {
        step.unit = target;
        return add_step(self, step);
    }
    if (!has_fired) {
        return 0;
    }
    note_reached(self, target);
    return add_arc(self, step.last_line, units[target].line);
}

/* The ways that a branch may have gone when `last_line` came before it. */
static uint8_t
possible_ways(const walker *self, int32_t unit, int32_t last_line)
{
    uint8_t found = 0;
    int is_end = 0;
    for (Py_ssize_t at = 0; at < self->n_except_star_ways; at++) {
        const except_star_way *way = &self->except_star_ways[at];
        if (way->unit == unit) {
            is_end = 1;
            found |= way->line == last_line || way->line == UNKNOWN ? way->flags : 0;
        }
    }
    return is_end ? found : EVENT_LEFT | EVENT_RIGHT;
}

static int
go_on_from_branch(walker *self, walk_step step, int32_t unit, int32_t last_line)
{
    const branch_ways *branch = &self->graph->branches[self->graph->units[unit].branch];
    const uint8_t *events = self->events;
    uint8_t ways = possible_ways(self, unit, last_line);
    if ((events[branch->left_event] | events[branch->late_left]) & EVENT_LEFT & ways
        && go(self, step, branch->left, unit) < 0) {
        return -1;
    }
    /* RIGHT of an `async for` also fires for exceptions other than its end. */
    int is_known = self->graph->units[unit].op == OP_END_SEND && self->exit_flag;
    if (!is_known && (events[branch->right_event] | events[branch->late_right]) & EVENT_RIGHT & ways) {
        return go(self, step, branch->right, unit);
    }
    return 0;
}

/* Continue with what ran after `unit` without an exception. `last_line` is the one before it, `step` has the one after
 * it. */
static int
go_on(walker *self, walk_step step, int32_t unit, int32_t last_line)
{
    const code_unit *units = self->graph->units;
    const code_unit *at = &units[unit];
    uint8_t flags = self->events[unit];
    int went_on = (flags & self->exit_flag) == self->exit_flag;
    if (flags & EVENT_UNWIND && at->line != last_line && unwind_from(self, unit, last_line) < 0) {
        return -1;
    }
    if (at->branch >= 0) {
        return go_on_from_branch(self, step, unit, last_line);
    }
    switch (at->op) {
    case OP_JUMP_FORWARD:
    case OP_JUMP_BACKWARD:
        if (!went_on) {
            return 0;
        }
        /* sys.settrace reports the line again when a loop jumps back within one line. */
        if (at->op == OP_JUMP_BACKWARD && at->line >= 0 && units[at->jump_to].line == at->line
            && add_arc(self, last_line, at->line) < 0) {
            return -1;
        }
        return go(self, step, at->jump_to, unit);
    case OP_RETURN_VALUE:
        return went_on ? leave(self, unit, last_line) : 0;
    case OP_RAISE_VARARGS:
    case OP_RERAISE:
        return !self->exit_flag && at->handler < 0 ? leave(self, unit, last_line) : 0;
    case OP_JUMP_BACKWARD_NO_INTERRUPT:
        /* It has no event. If handlers leave by it: EVENT_RIGHT if it was watched, EVENT_LEFT if it was executed. */
        return (flags & (EVENT_LEFT | EVENT_RIGHT)) != EVENT_RIGHT ? go(self, step, at->jump_to, unit) : 0;
    case OP_END_ASYNC_FOR:
        return 0; /* what follows is the right side of the branch at END_SEND */
    default:
        if (at->jump_to >= 0 && go(self, step, at->jump_to, unit) < 0) {
            return -1;
        }
        return at->next < self->graph->n_units ? go(self, step, at->next, unit) : 0;
    }
}

/* Return whether an exception went from this unit to its handler. Instructions that only raise always did. */
static int
has_raised(const walker *self, int32_t unit)
{
    const code_unit *at = &self->graph->units[unit];
    if (at->op == OP_RAISE_VARARGS || at->op == OP_RERAISE || at->op == OP_END_ASYNC_FOR
        || at->op == OP_CLEANUP_THROW) {
        return 1;
    }
    int is_loop = self->graph->units[at->handler].loop_end >= 0;
    return self->events[unit] & (is_loop ? EVENT_RAISE : EVENT_RAISE | EVENT_ASYNC_STOP);
}

static int
take_step(walker *self, walk_step step)
{
    const code_unit *units = self->graph->units;
    int32_t unit = skip_plain(self, step.unit);
    int32_t last_line = step.last_line;
    if (units[unit].op == OP_RESUME && units[unit].line >= 0 && unit != self->graph->first_unit) {
        step.last_line = units[unit].line; /* the tracer starts again from the line of the yield */
    }
    if (go_on(self, step, unit, last_line) < 0) {
        return -1;
    }
    int32_t handler = units[unit].handler;
    if (handler < 0) {
        return 0;
    }
    if (has_raised(self, unit)) {
        walk_step raised = step;
        raised.origin = units[unit].restores ? step.origin : unit;
        if (go(self, raised, handler, raised.origin) < 0) {
            return -1;
        }
    }
    int32_t end = units[handler].loop_end;
    if (end >= 0 && self->events[unit] & EVENT_ASYNC_STOP) {
        return go(self, step, end + 1, end);
    }
    return 0;
}

/* Follow what ran from `start`, when the last LINE event was for `line`. */
static int
walk(walker *self, int32_t start, int32_t line)
{
    forget_steps(self);
    if (add_step(self, (walk_step){start, line, UNKNOWN}) < 0) {
        return -1;
    }
    while (self->n_done < self->n_steps) {
        if (take_step(self, self->steps[self->n_done++]) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Return the unit of the LINE event that CPython omits in code which begins on the line of its RESUME; -1. */
static int32_t
unsent_first_line(const code_graph *graph, const uint8_t *events)
{
    const code_unit *first = &graph->units[graph->first_unit];
    int32_t unit = first->next;
    if (first->op != OP_RESUME || unit >= graph->n_units || graph->units[unit].line != first->line
        || !graph->units[unit].starts_line || events[unit] & EVENT_LINE) {
        return -1;
    }
    for (int32_t each = 0; each < graph->n_units; each++) {
        if (events[each] & EVENT_RESUMED) {
            return -1;
        }
    }
    return unit;
}

static int
is_except_star_end(const code_unit *unit)
{
    return unit->branch >= 0 && unit->op == OP_POP_JUMP_IF_NOT_NONE && unit->line < 0;
}

/* Read the bytes after the events of the code itself. */
static int
read_except_star_ways(walker *self, const uint8_t *events, Py_ssize_t n_events)
{
    const code_graph *graph = self->graph;
    Py_ssize_t n_units = graph->n_units, n_ends = 0, n_ways = 0;
    if (n_events == n_units) {
        return 0;
    }
    for (Py_ssize_t unit = 0; unit < n_units; unit++) {
        n_ends += is_except_star_end(&graph->units[unit]);
    }
    if (n_events % n_units != 0 || n_events / n_units != 1 + n_ends) {
        PyErr_SetString(PyExc_ValueError, "the events do not fit the code");
        return -1;
    }
    for (Py_ssize_t at = n_units; at < n_events; at++) {
        n_ways += events[at] != 0;
    }
    self->except_star_ways = PyMem_Calloc((size_t)(n_ways + n_ends), sizeof self->except_star_ways[0]);
    if (self->except_star_ways == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t at = n_units;
    for (int32_t unit = 0; unit < n_units; unit++) {
        if (!is_except_star_end(&graph->units[unit])) {
            continue;
        }
        /* one without flags, so that an end which nothing reached is known to be an end */
        self->except_star_ways[self->n_except_star_ways++] = (except_star_way){unit, UNKNOWN, 0};
        for (Py_ssize_t place = 0; place < n_units; place++, at++) {
            if (events[at] != 0) {
                self->except_star_ways[self->n_except_star_ways++] =
                    (except_star_way){unit, graph->units[place].line, events[at]};
            }
        }
    }
    return 0;
}

/* Either frames that continued reached the first line too, or one began: only whether anything else was reached
 * tells. */
static int
add_start_if_only_it_reaches(walker *self)
{
    PyObject *lines = self->lines, *arcs = self->arcs;
    int32_t n_reached = self->n_reached;
    self->lines = PySet_New(NULL); // owned
    self->arcs = PySet_New(NULL); // owned
    int has_sets = self->lines != NULL && self->arcs != NULL;
    int status = has_sets ? walk(self, self->graph->first_unit, -self->graph->first_line) : -1;
    if (status == 0 && self->n_reached != n_reached) {
        PyObject *both = PyNumber_InPlaceOr(arcs, self->arcs);
        Py_XDECREF(both);
        status = both == NULL ? -1 : 0;
    }
    Py_XDECREF(self->lines);
    Py_XDECREF(self->arcs);
    self->lines = lines;
    self->arcs = arcs;
    return status;
}

static int
walk_all(walker *self, int is_partial)
{
    const code_graph *graph = self->graph;
    int has_resumed = 0;
    for (int32_t unit = 0; unit < graph->n_units; unit++) {
        uint8_t flags = self->events[unit];
        int32_t line = graph->units[unit].line;
        if (flags == 0) {
            continue;
        }
        has_resumed |= flags & EVENT_RESUMED;
        if (flags & EVENT_LINE && (add_line(self->lines, line) < 0 || walk(self, unit, line) < 0)) {
            return -1;
        }
        if (flags & EVENT_UNWIND && line >= 0 && unwind_from(self, unit, line) < 0) {
            return -1;
        }
        if (is_partial && flags & EVENT_RESUMED && line >= 0 && walk(self, unit, line) < 0) {
            return -1;
        }
    }
    if (is_partial && has_resumed) {
        return add_start_if_only_it_reaches(self);
    }
    return walk(self, graph->first_unit, -graph->first_line);
}

PyObject *
arcs_of_events(const code_graph *graph, const uint8_t *events, Py_ssize_t n_events, int has_exits, int is_partial)
{
    walker self = {.graph = graph, .events = events, .exit = -graph->first_line};
    PyObject *found = NULL;
    uint8_t *changed = NULL;
    self.exit_flag = has_exits ? EVENT_LEFT : 0;
    self.lines = PySet_New(NULL);
    self.arcs = PySet_New(NULL);
    if (self.lines == NULL || self.arcs == NULL || read_except_star_ways(&self, events, n_events) < 0) {
        goto done;
    }
    if (is_partial && (self.reached = PyMem_Calloc((size_t)graph->n_units, 1)) == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    int32_t unsent = is_partial ? unsent_first_line(graph, events) : -1;
    if (unsent >= 0) {
        changed = PyMem_Malloc((size_t)graph->n_units);
        if (changed == NULL) {
            PyErr_NoMemory();
            goto done;
        }
        memcpy(changed, events, (size_t)graph->n_units);
        changed[unsent] |= EVENT_LINE;
        self.events = changed;
    }
    if (walk_all(&self, is_partial) == 0) {
        found = PyTuple_Pack(2, self.lines, self.arcs);
    }
done:
    Py_XDECREF(self.lines);
    Py_XDECREF(self.arcs);
    PyMem_Free(changed);
    PyMem_Free(self.reached);
    PyMem_Free(self.except_star_ways);
    PyMem_Free(self.steps);
    PyMem_Free(self.slots);
    return found;
}
