/*
 * The number type of the reference, which is plain C loops over `real` with sums in double. The
 * sources are compiled twice: with float for the backend `ref`, and with double for the tests'
 * `ref64`, because finite differences need it.
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
