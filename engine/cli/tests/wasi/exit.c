// The commonest way of C programs to fail.
int main(void) { return -1; }
