/*
 * Shortens the time that idle threads of libgomp spin before they sleep. libgomp reads this time,
 * GOMP_SPINCOUNT, only when it is loaded. So spin.c is a shared library of its own,
 * libdecavox_spin.so, on which all targets with this room depend. The loader calls its constructor
 * before libgomp's. The constructor sets the variable, unless the environment already says how to
 * wait (OMP_WAIT_POLICY, GOMP_SPINCOUNT). Libraries that depend on libgomp are initialised after
 * it, and one of their constructors removes the variable (threads.c), so neither main nor a child
 * process sees it.
 *
 * No document guarantees the loader's order. Of libraries that do not depend on each other, the
 * loader begins with the last one it has found, and the linker lists libdecavox_spin.so after
 * libgomp and after all libraries that need it. If a process has loaded libgomp before
 * libdecavox.so, threads spin as long as libgomp's default says.
 */
#ifndef DV_DEVICE_SPIN_H
#define DV_DEVICE_SPIN_H

#include "include/decavox.h"

/* Removes the variable from the environment, if this library has set it. */
DV_API void dv_spin_forget(void);

#endif
