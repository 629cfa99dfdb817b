/*
 * Fibers are stacks that run in turn, one for each thread of a block that waits. They need x86-64
 * with the System V calling convention.
 */
#ifndef CUDASIM_FIBERS_H
#define CUDASIM_FIBERS_H

#include <cstddef>

namespace cudasim
{
class Fiber
{
  public:
    /* `body` is called again each time that it returns. */
    explicit Fiber(void (*body)());
    /* The body must be suspended, with no object on its stack that needs a destructor. */
    ~Fiber();
    Fiber(const Fiber &) = delete;
    Fiber &operator=(const Fiber &) = delete;

    /* Runs this fiber until it suspends itself. Called from outside of all fibers. */
    void resume();
    /* Returns to the caller of resume(). Called from inside a fiber. */
    static void suspend();
    /* The running fiber, or NULL. */
    static Fiber *current();

  private:
    static void enter();
    static void arrive(void *fake_stack);

    char *stack_;
    void *stack_pointer_;
    void *fake_stack_ = nullptr; /* AddressSanitizer's fake stack while the fiber is suspended */
    void (*body_)();
};
} // namespace cudasim

#endif
