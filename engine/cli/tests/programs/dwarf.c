/* Ends in a trap in level3, called through four frames of level2. */
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) void level3(int*p){ *(volatile int*)p = 1; __builtin_trap(); }
__attribute__((noinline)) void level2(int n){ if(n) level2(n-1); else level3(&n); __asm__ volatile(""); }
int main(int c,char**v){ if(c>2) abort(); level2(3); __asm__ volatile(""); return 0; }
