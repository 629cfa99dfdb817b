/*
 * Fibers: stacks that run in turn, one for each thread of a block that waits. x86-64 with the
 * System V calling convention alone.
 */
#ifndef CUDASIM_FIBERS_H
#define CUDASIM_FIBERS_H

#include <cstddef>

namespace cudasim
{
class Fiber
{
  public:
    /* `body` is called again and again, each time that it returns. */
    explicit Fiber(void (*body)());
    /* The body must be suspended with nothing on its stack that wants a destructor. */
    ~Fiber();
    Fiber(const Fiber &) = delete;
    Fiber &operator=(const Fiber &) = delete;

    /* Called from outside of all fibers: runs this one until it suspends itself. */
    void resume();
    /* Called from inside of a fiber: back to who resumed it. */
    static void suspend();
    /* The fiber that runs, or NULL. */
    static Fiber *current();

  private:
    static void enter();
    static void arrive(void *fake_stack);

    char *stack_;
    void *stack_pointer_;
    void *fake_stack_ = nullptr; /* AddressSanitizer's, of this fiber while it is suspended */
    void (*body_)();
};
} // namespace cudasim

#endif
