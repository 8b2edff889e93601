/* graph.c reads the tables of a code object. It does not know about events: arcs.c walks the graph. */
#include "decode/graph.h"

#include <string.h>

#define FAR INT64_C(0x100000000) /* no code is that long */

static int
refuse(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

int
opcodes_read(opcode_table *table, PyObject *ops)
{
    memset(table->names, OP_OTHER, sizeof table->names);
    if (!PyTuple_Check(ops) || PyTuple_GET_SIZE(ops) != N_OPCODE_NAMES) {
        PyErr_SetString(PyExc_TypeError, "a number for each instruction that steers is needed");
        return -1;
    }
    for (Py_ssize_t name = 0; name < N_OPCODE_NAMES; name++) {
        long number = PyLong_AsLong(PyTuple_GET_ITEM(ops, name));
        if (number < 0 || number > 255) {
            return PyErr_Occurred() ? -1 : refuse("an opcode is not a byte");
        }
        table->names[number] = (uint8_t)name;
        if (name == OP_EXTENDED_ARG) {
            table->extended_arg = (uint8_t)number;
        }
    }
    return 0;
}

static int
read_signed(const uint8_t *table, Py_ssize_t size, Py_ssize_t at, int64_t *value)
{
    uint64_t found = 0;
    for (int shift = 0;; shift += 6, at++) {
        if (at >= size || shift > 30) {
            return refuse("the line table is cut short");
        }
        found |= (uint64_t)(table[at] & 63) << shift;
        if (!(table[at] & 64)) {
            break;
        }
    }
    *value = found & 1 ? -(int64_t)(found >> 1) : (int64_t)(found >> 1);
    return 0;
}

/* The format is CPython's Objects/locations.md: only the first byte of an entry has the high bit. */
static int
read_lines(code_graph *graph, const uint8_t *table, Py_ssize_t size)
{
    int64_t line = graph->first_line;
    int32_t unit = 0;
    for (int32_t each = 0; each < graph->n_units; each++) {
        graph->units[each].line = -1;
    }
    for (Py_ssize_t at = 0; at < size; at++) {
        if (!(table[at] & 128)) {
            continue;
        }
        int kind = table[at] >> 3 & 15;
        int32_t end = unit + (table[at] & 7) + 1;
        if (kind == 13 || kind == 14) {
            int64_t delta;
            if (read_signed(table, size, at + 1, &delta) < 0) {
                return -1;
            }
            line += delta;
        }
        else if (kind >= 10 && kind <= 12) {
            line += kind - 10;
        }
        if (end > graph->n_units) {
            return refuse("the line table is longer than the code");
        }
        if (line > INT32_MAX || line < INT32_MIN) {
            return refuse("a line is out of range");
        }
        for (; unit < end; unit++) {
            graph->units[unit].line = kind == 15 ? -1 : (int32_t)line;
        }
    }
    return 0;
}

/* Caches read as opcode 0 in co_code, so no table of their sizes is needed. */
static void
find_ends(code_graph *graph, const uint8_t *code)
{
    int32_t end = graph->n_units;
    for (int32_t unit = graph->n_units - 1; unit >= 0; unit--) {
        graph->units[unit].next = end;
        if (code[2 * unit] != 0) {
            end = unit;
        }
    }
}

int64_t
graph_argument(const uint8_t *code, Py_ssize_t unit, uint8_t extended)
{
    int64_t argument = code[2 * unit + 1];
    for (int n = 1; n <= 3 && unit - n >= 0 && code[2 * (unit - n)] == extended; n++) {
        argument |= (int64_t)code[2 * (unit - n) + 1] << (8 * n);
    }
    return argument;
}

static int64_t
argument_of(const code_graph *graph, const uint8_t *code, int32_t unit)
{
    return graph_argument(code, unit, graph->extended_arg);
}

/* FOR_ITER and SEND jump over the END_FOR or END_SEND that they point to. */
static void
mark_target(code_graph *graph, int64_t unit)
{
    if (unit >= 0 && unit < graph->n_units
        && (graph->units[unit].op == OP_END_FOR || graph->units[unit].op == OP_END_SEND)) {
        unit++;
    }
    if (unit >= 0 && unit < graph->n_units && graph->units[unit].line >= 0) {
        graph->units[unit].starts_line = 1;
    }
}

/* As CPython's instrumentation marks them: where the line differs from the previous instruction's, and where code jumps
 * to. */
static int
find_jumps_and_line_starts(code_graph *graph, const uint8_t *code)
{
    int32_t current = -1;
    for (int32_t unit = graph->first_unit; unit < graph->n_units; unit = graph->units[unit].next) {
        code_unit *at = &graph->units[unit];
        if (at->op != OP_END_ASYNC_FOR && at->op != OP_END_FOR && at->op != OP_END_SEND && at->op != OP_RESUME
            && at->op != OP_POP_ITER) {
            at->starts_line = at->line != current && at->line >= 0;
            current = at->line;
        }
    }
    for (int32_t unit = 0; unit < graph->n_units; unit++) {
        code_unit *at = &graph->units[unit];
        int64_t target = -1;
        switch (at->op) {
        case OP_JUMP_FORWARD:
        case OP_SEND:
            target = at->next + argument_of(graph, code, unit);
            break;
        case OP_JUMP_BACKWARD:
        case OP_JUMP_BACKWARD_NO_INTERRUPT:
            target = at->next - argument_of(graph, code, unit);
            break;
        case OP_POP_JUMP_IF_FALSE:
        case OP_POP_JUMP_IF_TRUE:
        case OP_POP_JUMP_IF_NONE:
        case OP_POP_JUMP_IF_NOT_NONE:
        case OP_FOR_ITER:
            mark_target(graph, at->next + argument_of(graph, code, unit));
            continue;
        case OP_RERAISE:
            at->restores = argument_of(graph, code, unit) != 0;
            continue;
        default:
            continue;
        }
        if (target < 0 || target >= graph->n_units) {
            return refuse("a jump leaves the code");
        }
        at->jump_to = (int32_t)target;
        mark_target(graph, target);
    }
    return 0;
}

static int
next_varint(const uint8_t *table, Py_ssize_t size, Py_ssize_t *at, int64_t *value)
{
    int64_t found = 0;
    while (*at < size) {
        uint8_t byte = table[(*at)++];
        found = found << 6 | (byte & 63);
        if (found > FAR) {
            return refuse("the exception table points past the end of the code");
        }
        if (!(byte & 64)) {
            *value = found;
            return 1;
        }
    }
    return 0;
}

static int
add_handler(code_graph *graph, int64_t start, int64_t length, int64_t handler)
{
    if (start + length > graph->n_units || handler >= graph->n_units) {
        return refuse("the exception table points past the end of the code");
    }
    for (int64_t unit = start; unit < start + length; unit++) {
        graph->units[unit].handler = (int32_t)handler;
    }
    code_unit *first = &graph->units[handler];
    if (first->line >= 0 && first->op != OP_END_ASYNC_FOR) {
        first->starts_line = 1;
    }
    int64_t end = handler;
    while (end < graph->n_units && graph->units[end].op == OP_EXTENDED_ARG) {
        end++;
    }
    if (end < graph->n_units && graph->units[end].op == OP_END_ASYNC_FOR) {
        if (end + 1 >= graph->n_units) {
            return refuse("the code ends in a loop");
        }
        first->loop_end = (int32_t)end;
    }
    return 0;
}

static int
read_handlers(code_graph *graph, const uint8_t *table, Py_ssize_t size)
{
    int64_t fields[4];
    int n = 0, status;
    for (Py_ssize_t at = 0; (status = next_varint(table, size, &at, &fields[n])) > 0;) {
        if (++n == 4) {
            n = 0;
            if (add_handler(graph, fields[0], fields[1], fields[2]) < 0) {
                return -1;
            }
        }
    }
    if (status < 0 || n != 0) {
        return status < 0 ? -1 : refuse("the exception table is cut short");
    }
    for (int32_t unit = 1; unit < graph->n_units; unit++) {
        if (graph->units[unit].op == OP_RESUME && graph->units[unit - 1].op == OP_YIELD_VALUE) {
            /* An exception thrown into a generator is raised by the yield, with the frame at the RESUME. */
            graph->units[unit].handler = graph->units[unit - 1].handler;
        }
    }
    return 0;
}

static int
is_unit(const code_graph *graph, int64_t unit)
{
    return unit >= 0 && unit < graph->n_units;
}

/* An `async for` branches at END_SEND; it reports LEFT at the NOT_TAKEN behind that, and RIGHT where END_ASYNC_FOR
 * assumes END_SEND to be, which is sometimes the CLEANUP_THROW before it (3.14, 3.15). */
static int
add_branch(code_graph *graph, int64_t source, int64_t left, int64_t right)
{
    if (!is_unit(graph, source) || !is_unit(graph, left) || !is_unit(graph, right) || left == 0 || right == 0) {
        return refuse("a branch leaves the code");
    }
    branch_ways ways = {
        (int32_t)left, (int32_t)right, (int32_t)source, (int32_t)source, (int32_t)left - 1, (int32_t)source,
    };
    int32_t unit = (int32_t)source;
    uint8_t op = graph->units[source].op;
    if (op == OP_FOR_ITER) {
        ways.late_left = unit;
        ways.late_right = ways.right - 1;
    }
    else if (op == OP_END_SEND || op == OP_CLEANUP_THROW) {
        while (unit < graph->n_units && graph->units[unit].op != OP_END_SEND) {
            unit++;
        }
        if (unit + 2 >= graph->n_units) {
            return refuse("a branch leaves the code");
        }
        ways.left = unit + 2;
        ways.left_event = ways.late_left = unit + 1;
        if (graph->units[unit + 1].op != OP_NOT_TAKEN) {
            return 0; /* of a comprehension: LEFT is not reported, and continues like any await */
        }
    }
    graph->branches[graph->n_branches] = ways;
    graph->units[unit].branch = graph->n_branches++;
    return 0;
}

static int
read_branches(code_graph *graph, PyObject *branches)
{
    if (!PyTuple_Check(branches)) {
        PyErr_SetString(PyExc_TypeError, "branches must be a tuple");
        return -1;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(branches);
    if (n > graph->n_units) {
        return refuse("there are more branches than instructions");
    }
    graph->branches = PyMem_Calloc((size_t)n + 1, sizeof graph->branches[0]);
    if (graph->branches == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t at = 0; at < n; at++) {
        long long source, left, right;
        if (!PyTuple_Check(PyTuple_GET_ITEM(branches, at))) {
            PyErr_SetString(PyExc_TypeError, "a branch must be a tuple");
            return -1;
        }
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(branches, at), "LLL", &source, &left, &right)) {
            return -1;
        }
        if (source < 0 || left < 0 || right < 0) {
            return refuse("a branch leaves the code");
        }
        if (add_branch(graph, source / 2, left / 2, right / 2) < 0) {
            return -1;
        }
    }
    return 0;
}

int
graph_build(code_graph *graph, const code_tables *tables)
{
    opcode_table table;
    const uint8_t *code = tables->code.buf;
    Py_ssize_t n_units = tables->code.len / 2;
    memset(graph, 0, sizeof *graph);
    if (opcodes_read(&table, tables->ops) < 0) {
        return -1;
    }
    if (n_units == 0 || n_units > INT32_MAX / 64) {
        return refuse("the code has no length that code has");
    }
    graph->n_units = (int32_t)n_units;
    graph->extended_arg = table.extended_arg;
    graph->first_line = tables->first_line;
    graph->units = PyMem_Calloc((size_t)n_units, sizeof graph->units[0]);
    if (graph->units == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    graph->first_unit = -1;
    for (int32_t unit = 0; unit < graph->n_units; unit++) {
        code_unit *at = &graph->units[unit];
        at->op = table.names[code[2 * unit]];
        at->jump_to = at->handler = at->loop_end = at->branch = -1;
        if (at->op == OP_RESUME && graph->first_unit < 0) {
            graph->first_unit = unit;
        }
    }
    graph->first_unit = graph->first_unit < 0 ? 0 : graph->first_unit;
    find_ends(graph, code);
    if (read_lines(graph, tables->line_table.buf, tables->line_table.len) < 0
        || find_jumps_and_line_starts(graph, code) < 0
        || read_handlers(graph, tables->exception_table.buf, tables->exception_table.len) < 0) {
        return -1;
    }
    return read_branches(graph, tables->branches);
}

void
graph_clear(code_graph *graph)
{
    PyMem_Free(graph->units);
    PyMem_Free(graph->branches);
    graph->units = NULL;
    graph->branches = NULL;
}

/* Return the END_SEND (or the CLEANUP_THROW before it) at which an `async for` branches. 3.14 and 3.15 count back from
 * after END_ASYNC_FOR and its cache, if there is one. */
static int64_t
async_source(const uint8_t *code, const uint8_t names[256], int64_t unit, int64_t argument)
{
    for (int64_t source = unit - argument; source <= unit - argument + 1; source++) {
        if (source >= 0 && source < unit
            && (names[code[2 * source]] == OP_END_SEND || names[code[2 * source]] == OP_CLEANUP_THROW)) {
            return source;
        }
    }
    return argument > unit ? 0 : unit - argument;
}

static int
append_branch(PyObject *found, int64_t source, int64_t left, int64_t right)
{
    PyObject *branch = Py_BuildValue("(LLL)", (long long)(2 * source), (long long)(2 * left), (long long)(2 * right));
    int status = branch == NULL ? -1 : PyList_Append(found, branch);
    Py_XDECREF(branch);
    return status;
}

PyObject *
branches_of_code(const uint8_t *code, Py_ssize_t n_bytes, PyObject *ops)
{
    opcode_table table;
    if (opcodes_read(&table, ops) < 0) {
        return NULL;
    }
    PyObject *found = PyList_New(0), *sorted = NULL;
    for (Py_ssize_t unit = 0; found != NULL && unit < n_bytes / 2; unit++) {
        int status = 0;
        Py_ssize_t after = unit + 2; /* one cache unit follows */
        int64_t argument, source;
        switch (table.names[code[2 * unit]]) {
        case OP_POP_JUMP_IF_FALSE:
        case OP_POP_JUMP_IF_NONE:
        case OP_POP_JUMP_IF_NOT_NONE:
        case OP_POP_JUMP_IF_TRUE: /* left skips the NOT_TAKEN */
            status = append_branch(found, unit, after + 1, after + graph_argument(code, unit, table.extended_arg));
            break;
        case OP_FOR_ITER: /* right skips the END_FOR and POP_ITER */
            status = append_branch(found, unit, after, after + graph_argument(code, unit, table.extended_arg) + 2);
            break;
        case OP_END_ASYNC_FOR:
            argument = graph_argument(code, unit, table.extended_arg);
            source = async_source(code, table.names, unit, argument);
            status = append_branch(found, source, source + 2, unit + 1);
            break;
        default:
            break;
        }
        if (status < 0) {
            Py_CLEAR(found);
        }
    }
    if (found != NULL && PyList_Sort(found) == 0) {
        sorted = PyList_AsTuple(found);
    }
    Py_XDECREF(found);
    return sorted;
}

PyObject *
steering_of_code(const uint8_t *code, Py_ssize_t n_bytes, PyObject *ops)
{
    opcode_table table;
    if (opcodes_read(&table, ops) < 0) {
        return NULL;
    }
    PyObject *found = PyList_New(0);
    for (Py_ssize_t unit = 0; found != NULL && unit < n_bytes / 2; unit++) {
        uint8_t name = table.names[code[2 * unit]];
        if (name == OP_OTHER || name == OP_EXTENDED_ARG || name == OP_NOT_TAKEN) {
            continue;
        }
        PyObject *each = Py_BuildValue("(nL)", unit, (long long)graph_argument(code, unit, table.extended_arg));
        if (each == NULL || PyList_Append(found, each) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(each);
    }
    return found;
}
