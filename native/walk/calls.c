/* calls.c owns the numbers of the instructions that call C functions: CPython's Include/opcode.h (3.11, 3.12) and
 * Include/opcode_ids.h, the specialized forms of CALL, CALL_KW and CALL_FUNCTION_EX (3.11: of PRECALL) whose callee is
 * a built-in function, a method of a built-in type, or a class or object without Python code of its own to call. */
#include "walk/calls.h"

#define MINOR(version) ((version) >> 16 & 0xff)

typedef struct opcode_range {
    unsigned char first, last;
} opcode_range;

static int
is_in(const opcode_range *ranges, unsigned opcode)
{
    for (; ranges->last != 0; ranges++) {
        if (ranges->first <= opcode && opcode <= ranges->last) {
            return 1;
        }
    }
    return 0;
}

int
call_is_native(uint32_t version, unsigned opcode)
{
    static const opcode_range of_311[] = {{66, 67}, {72, 73}, {76, 81}, {113, 113}, {121, 121}, {127, 127}, {141, 141}, {0, 0}};
    static const opcode_range of_312[] = {{29, 29}, {34, 34}, {38, 48}, {56, 56}, {0, 0}};
    static const opcode_range of_313[] = {{165, 176}, {179, 181}, {0, 0}};
    static const opcode_range of_314[] = {{146, 150}, {152, 152}, {154, 160}, {163, 165}, {0, 0}};
    static const opcode_range of_315[] = {{147, 151}, {153, 153}, {155, 155}, {157, 163}, {166, 168}, {0, 0}};
    switch (MINOR(version)) {
    case 11:
        return is_in(of_311, opcode);
    case 12:
        return is_in(of_312, opcode);
    case 13:
        return is_in(of_313, opcode);
    case 14:
        return is_in(of_314, opcode);
    case 15:
        return is_in(of_315, opcode);
    default:
        return 0;
    }
}
