/*
 * Whether the upper parts of the vector registers are in use. While they are, each instruction of
 * SSE code also has to carry them along: the caller's code and libm are several times as slow. So
 * each function that computes with wide vectors must end with them cleared.
 *
 * Processors tell it by XGETBV with ECX = 1. Bit 2 stands for the upper halves of YMM0 to YMM15,
 * bit 6 for the upper halves of ZMM0 to ZMM15. Bit 7, for ZMM16 to ZMM31, does not matter: SSE code
 * cannot name these registers, and `vzeroupper` leaves them as they are.
 */
#ifndef DV_TESTS_VECTOR_STATE_H
#define DV_TESTS_VECTOR_STATE_H

/* NULL, or why the state cannot be told: the processor's fault or the compiler's. Without a reason
   the functions below work. */
const char *vector_state_unknown(void);

void vector_state_clear(void);
void vector_state_use(void);   /* as code does that forgets to clear them */
int vector_state_in_use(void); /* bits 2 and 6 of the state; 0: cleared */

#endif
