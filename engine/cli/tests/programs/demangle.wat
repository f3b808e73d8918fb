(module (func $_ZN4core9panicking9panic_fmt17h0123456789abcdefE unreachable)
  (func $_Z3fooi (call $_ZN4core9panicking9panic_fmt17h0123456789abcdefE)) (func (export "_start") (call $_Z3fooi)))
