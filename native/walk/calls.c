/* calls.c recognizes calls of C functions by their instructions, whose numbers are in each version's layout. */
#include "walk/calls.h"

#include "walk/layouts/layout.h"

int
call_is_native(uint32_t version, unsigned opcode)
{
    const version_layout *layout = find_layout(version);
    if (layout == NULL) {
        return 0;
    }
    for (const opcode_range *range = layout->native_calls; range->last != 0; range++) {
        if (range->first <= opcode && opcode <= range->last) {
            return 1;
        }
    }
    return 0;
}
