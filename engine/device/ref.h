/*
 * How the reference is written: plain C loops over `real`, sums in double. The same sources
 * are compiled twice: with float for the backend `ref`, and with double for the tests (`ref64`),
 * where finite differences need it.
 */
#ifndef DV_DEVICE_REF_H
#define DV_DEVICE_REF_H

#ifdef DV_REF64
typedef double real;
#define DV_REF(name) dv_##name##_ref64
#else
typedef float real;
#define DV_REF(name) dv_##name##_ref
#endif

#endif
