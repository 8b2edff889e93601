/* inside/asyncio.c finds where asyncio publishes its tasks, in the libraries that this process has loaded. It runs on
 * the sampling thread, without the GIL. sampler/tasks/tasks.c reads and joins the tasks. */
#include "core/state.h" /* first: Python.h must come before the system headers */

#include "inside/asyncio.h"

#include "inside/inside_data.h"

#include "sampler/tasks/tasks.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTION ".AsyncioDebug"
#define LOOK_EVERY_NS 100000000u
#define MAX_SECTIONS 4096u
#define MAX_NAMES_BYTES (1u << 20)

/* Not in the headers of every version. */
extern PyTypeObject _PyAsyncGenASend_Type __attribute__((weak));

static void *
read_at(int file, uint64_t at, uint64_t size)
{
    void *found = malloc(size + 1);
    if (found == NULL || pread(file, found, size, (off_t)at) != (ssize_t)size) {
        free(found);
        return NULL;
    }
    ((char *)found)[size] = 0;
    return found;
}

/* Return the address of the section in the file that is loaded at `base`; 0 = it has none. */
static uint64_t
find_section(int file, uint64_t base)
{
    Elf64_Ehdr head;
    uint64_t address = 0;
    if (pread(file, &head, sizeof head, 0) != (ssize_t)sizeof head || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0
        || head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_shentsize != sizeof(Elf64_Shdr) || head.e_shnum > MAX_SECTIONS
        || head.e_shstrndx >= head.e_shnum) {
        return 0;
    }
    Elf64_Shdr *sections = read_at(file, head.e_shoff, head.e_shnum * sizeof(Elf64_Shdr));
    if (sections == NULL) {
        return 0;
    }
    const Elf64_Shdr *of_names = &sections[head.e_shstrndx];
    char *names = of_names->sh_size > MAX_NAMES_BYTES ? NULL : read_at(file, of_names->sh_offset, of_names->sh_size);
    for (unsigned int i = 0; names != NULL && i < head.e_shnum && address == 0; i++) {
        if (sections[i].sh_name < of_names->sh_size && strcmp(names + sections[i].sh_name, SECTION) == 0) {
            address = base + sections[i].sh_addr;
        }
    }
    free(names);
    free(sections);
    return address;
}

/* A separate library in most builds, else built into the interpreter. */
static int
may_have_tables(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    return *path == 0 || strncmp(name, "_asyncio.", 9) == 0 || strncmp(name, "libpython3", 10) == 0;
}

typedef struct search {
    uint64_t n_known; /* libraries that had been loaded at the last search */
    uint64_t n_loaded;
    uint64_t address;
} search;

static int
find_in_library(struct dl_phdr_info *info, size_t Py_UNUSED(size), void *argument)
{
    search *self = argument;
    self->n_loaded = info->dlpi_adds;
    if (self->n_loaded == self->n_known) {
        return 1; /* nothing was loaded since */
    }
    if (may_have_tables(info->dlpi_name)) {
        int file = open(*info->dlpi_name == 0 ? "/proc/self/exe" : info->dlpi_name, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            self->address = find_section(file, info->dlpi_addr);
            close(file);
        }
    }
    return self->address != 0;
}

void
inside_look_for_tasks(sampler *s, uint64_t now_ns)
{
    task_search *looked = &inside_data_of(s)->task_search;
    if (!looked->is_on || now_ns < looked->next_ns) {
        return;
    }
    looked->next_ns = now_ns + LOOK_EVERY_NS;
    search found = {.n_known = looked->n_loaded, .address = !tasks_are_published(&s->interpreter.offsets)};
    if (found.address == 0) {
        dl_iterate_phdr(find_in_library, &found);
        looked->n_loaded = found.n_loaded;
    }
    if (found.address == 0) {
        return;
    }
    task_tables tables = {
        found.address,
        (uint64_t)(uintptr_t)&PyCoro_Type,
        (uint64_t)(uintptr_t)&PyGen_Type,
        (uint64_t)(uintptr_t)&PyAsyncGen_Type,
        (uint64_t)(uintptr_t)&_PyAsyncGenASend_Type,
    };
    walk_status status;
    looked->is_on = 0; /* the tables do not move: once is enough */
    (void)sampler_tasks_open(s, &tables, &status);
}
