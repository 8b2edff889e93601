/* branch_places.c finds the place of a BRANCH event in bytecode. It does not record: engines/monitoring/events.c
 * does. */
#include "engines/monitoring/places/branch_places.h"

#include "compat/versions.h"

#include <opcode.h>

#if HAS_BRANCH_EVENTS

#define UNIT 2 /* bytes */

/* From a conditional jump over its single cache and the NOT_TAKEN. */
#define LEFT_LENGTH (3 * UNIT)

static unsigned char
opcode_at(PyObject *bytecode, Py_ssize_t offset)
{
    int is_inside = offset >= 0 && offset < PyBytes_GET_SIZE(bytecode);
    return is_inside ? (unsigned char)PyBytes_AS_STRING(bytecode)[offset] : CACHE;
}

/* Compiled code leaves no conditional jump as the frame's last instruction, so if the source is one, it is the event's
 * own. */
static int
is_conditional_jump(unsigned char opcode)
{
    return opcode == POP_JUMP_IF_FALSE || opcode == POP_JUMP_IF_TRUE || opcode == POP_JUMP_IF_NONE
           || opcode == POP_JUMP_IF_NOT_NONE;
}

Py_ssize_t
branch_place(PyCodeObject *code, Py_ssize_t source, Py_ssize_t destination, int is_left)
{
    if (is_left && destination - source == LEFT_LENGTH) {
        return source;
    }
    PyObject *bytecode = PyCode_GetCode(code); // owned; made once for each code object
    if (bytecode == NULL) {
        return -1;
    }
    Py_ssize_t sender = destination - UNIT;
    int is_sent = is_left
                      ? opcode_at(bytecode, sender) == NOT_TAKEN
                      : opcode_at(bytecode, sender) == POP_ITER && !is_conditional_jump(opcode_at(bytecode, source));
    Py_DECREF(bytecode);
    return is_sent ? sender : source;
}

#else /* Before 3.14, branches are not recorded by events. */

Py_ssize_t
branch_place(PyCodeObject *Py_UNUSED(code), Py_ssize_t source, Py_ssize_t Py_UNUSED(destination),
             int Py_UNUSED(is_left))
{
    return source;
}

#endif
