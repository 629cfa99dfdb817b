/*
 * libgomp's threads spin before they sleep when they have nothing to do, and here they spin
 * briefly. libgomp reads how long, GOMP_SPINCOUNT, only when it is loaded. So spin.c is a shared
 * library of its own, libdecavox_spin.so, on which all that is made of this room depends: the
 * loader calls its constructor before libgomp's, where the variable is set, unless the environment
 * says how to wait (OMP_WAIT_POLICY, GOMP_SPINCOUNT). What depends on libgomp is initialised after
 * it, and there the variable is taken away again (threads.c): neither main nor a child process sees
 * it.
 *
 * The loader's order is nobody's promise: of libraries that do not depend on each other it begins
 * with the last one it has found, and the linker names libdecavox_spin.so behind libgomp and behind
 * all libraries that need it. Where a process has loaded libgomp before libdecavox.so, threads spin
 * as libgomp likes.
 */
#ifndef DV_DEVICE_SPIN_H
#define DV_DEVICE_SPIN_H

#include "include/decavox.h"

/* Takes the variable out of the environment, if it was set here. */
DV_API void dv_spin_forget(void);

#endif
