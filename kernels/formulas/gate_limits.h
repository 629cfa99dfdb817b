/* The limit of the launchers of gates. */
#ifndef DV_FORMULAS_ACTIVATION_GATE_H
#define DV_FORMULAS_ACTIVATION_GATE_H

/* The most bytes of dynamic shared memory of a launch. Every device has 48 KiB without an opt-in,
   and the kernels declare some of it themselves. */
enum { DV_GATE_SHARED = 48 * 1024 - 256 };

#endif
