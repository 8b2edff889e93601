/* How much of its C stack the running thread has used. */
#ifndef FOOTFALL_ENGINES_STACK_DEPTH_H
#define FOOTFALL_ENGINES_STACK_DEPTH_H

/* Return whether half of it, or nearly all of a small one, is used. Frames that a function of ours evaluates (PEP 523)
 * use C stack, which the interpreter's own function calls do not: beyond this they are left to the interpreter, so that
 * a program that recurses deeper than usual does not overflow it. */
int stack_is_half_used(void);

#endif
