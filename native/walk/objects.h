/* Reads dicts, sets, attributes and types of Python objects in memory that changes meanwhile (CPython 3.12 and 3.13; sets
 * of any version). Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_OBJECTS_H
#define FOOTFALL_WALK_OBJECTS_H

#include "walk/layouts/objects.h"
#include "walk/memory.h"

#define OBJECT_HEAD_BYTES 24u /* up to the first field behind the type */
#define MAX_SUPERCLASSES 16

typedef struct object_reader {
    const memory_source *source; /* borrowed */
    const walk_offsets *offsets; /* borrowed */
    const object_layout *layout; /* borrowed */
} object_reader;

/* Where a search in a dict has got to: entries before `n_looked` need no second look while `keys` is the same. */
typedef struct dict_place {
    uint64_t keys;
    uint64_t n_looked;
} dict_place;

/* Called with each object of a set. */
typedef void (*object_visitor)(void *argument, uint64_t object);

/* The word at an address; 0 if it can't be read, or the address is no object's. */
uint64_t object_word(const memory_source *source, uint64_t address, uint32_t offset);
uint64_t object_type(const object_reader *reader, uint64_t object);
/* Whether an object's class is `type` or derived from it. */
int object_is_a(const object_reader *reader, uint64_t object, uint64_t type);

/* Whether an object is of a class of C code with this name. */
int object_is_kind(const object_reader *reader, uint64_t object, const char *name);
/* Whether an object is an ASCII string with this content, of up to 64 characters. */
int object_is_text(const object_reader *reader, uint64_t object, const char *text);

/* The value of a key, an ASCII string; 0 if the dict does not have it. With a place, the search begins there. */
uint64_t dict_value(const object_reader *reader, uint64_t dict, const char *key, dict_place *place);
/* The value whose key is this very object; 0 if the dict does not have it. */
uint64_t dict_value_of(const object_reader *reader, uint64_t dict, uint64_t key);
/* The attribute of an object of a class written in Python; 0 if it does not have it. */
uint64_t object_attribute(const object_reader *reader, uint64_t object, const char *name);

/* Visit the objects of a set. WALK_OK; WALK_TORN if it changed meanwhile. */
walk_status set_visit(const memory_source *source, const coroutine_offsets *at, uint64_t set, object_visitor visit,
                      void *argument);

#endif
