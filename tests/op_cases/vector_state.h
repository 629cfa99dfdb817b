/*
 * Tells whether the upper parts of the vector registers are in use. While they are, each
 * instruction of SSE code has to carry them along, and the caller's code and libm are several times
 * as slow. Each function that computes with wide vectors must therefore clear them at its end.
 *
 * XGETBV with ECX = 1 reads the state. Bit 2 stands for the upper halves of YMM0 to YMM15, bit 6
 * for the upper halves of ZMM0 to ZMM15. Bit 7, for ZMM16 to ZMM31, does not matter: SSE code
 * cannot name these registers, and `vzeroupper` leaves them as they are.
 */
#ifndef DV_TESTS_VECTOR_STATE_H
#define DV_TESTS_VECTOR_STATE_H

/* The reason why the processor or the compiler cannot read the state. NULL if it can; only then do
   the functions below work. */
const char *vector_state_unknown(void);

void vector_state_clear(void);
void vector_state_use(void);   /* leaves upper parts in use, as faulty code does */
int vector_state_in_use(void); /* bits 2 and 6 of the state, 0 if cleared */

#endif
