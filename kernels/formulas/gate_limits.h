/* What the launchers of gates have in common. */
#ifndef DV_FORMULAS_ACTIVATION_GATE_H
#define DV_FORMULAS_ACTIVATION_GATE_H

/* Bytes of dynamic shared memory that a launch may have: what every device has without being asked,
   less what the kernels declare themselves. */
enum { DV_GATE_SHARED = 48 * 1024 - 256 };

#endif
