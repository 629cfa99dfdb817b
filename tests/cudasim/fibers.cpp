#include "tests/cudasim/fibers.h"

#include "tests/cudasim/interface.h"

#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#error "the simulated device's fibers are written for x86-64"
#endif

/* Pushes the registers that a call preserves, stores the stack pointer in *save, switches to the
   other stack and pops the same registers from it. */
extern "C" void cudasim_switch_stack(void **save, void *stack_pointer);
__asm__(".text\n"
        ".globl cudasim_switch_stack\n"
        ".hidden cudasim_switch_stack\n"
        ".type cudasim_switch_stack, @function\n"
        "cudasim_switch_stack:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size cudasim_switch_stack, . - cudasim_switch_stack\n");

namespace cudasim
{
namespace
{
constexpr std::size_t page = 4096;
constexpr std::size_t stack_bytes = 256 * 1024;
constexpr std::size_t saved_registers = 6;

Fiber *running;
void *outer_stack_pointer;
const void *outer_stack_bottom;
std::size_t outer_stack_bytes;

/* AddressSanitizer keeps a shadow of the stack in use and must be told of each change. */
void leave_for(void **fake_stack, const void *bottom, std::size_t bytes)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
#else
    (void)fake_stack;
    (void)bottom;
    (void)bytes;
#endif
}

void arrive_from(void *fake_stack, const void **bottom, std::size_t *bytes)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, bottom, bytes);
#else
    (void)fake_stack;
    (void)bottom;
    (void)bytes;
#endif
}

/* An offset for a new stack: stacks with the same offset in a page would share a few sets of the
   cache. */
std::size_t colour()
{
    static std::size_t count;
    return count++ % 61 * 64;
}
} // namespace

Fiber::Fiber(void (*body)()) : body_(body)
{
    void *memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0) {
        die("no memory for a fiber's stack");
    }
    stack_ = static_cast<char *>(memory);
    void **top = reinterpret_cast<void **>(stack_ + stack_bytes - colour());
    *--top = nullptr; /* return address of enter(), which aligns its frame */
    *--top = reinterpret_cast<void *>(&Fiber::enter);
    for (std::size_t i = 0; i < saved_registers; i++) {
        *--top = nullptr;
    }
    stack_pointer_ = top;
}

Fiber::~Fiber()
{
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack_, stack_bytes);
#endif
    munmap(stack_, stack_bytes);
}

void Fiber::resume()
{
    void *fake_stack = nullptr;
    running = this;
    leave_for(&fake_stack, stack_, stack_bytes);
    cudasim_switch_stack(&outer_stack_pointer, stack_pointer_);
    arrive_from(fake_stack, nullptr, nullptr);
    running = nullptr;
}

void Fiber::suspend()
{
    Fiber *self = running;
    leave_for(&self->fake_stack_, outer_stack_bottom, outer_stack_bytes);
    cudasim_switch_stack(&self->stack_pointer_, outer_stack_pointer);
    arrive(self->fake_stack_);
}

Fiber *Fiber::current()
{
    return running;
}

/* The outer stack may change each time: it is that of the thread that resumed. */
void Fiber::arrive(void *fake_stack)
{
    arrive_from(fake_stack, &outer_stack_bottom, &outer_stack_bytes);
}

void Fiber::enter()
{
    arrive(nullptr);
    for (;;) {
        running->body_();
    }
}
} // namespace cudasim
