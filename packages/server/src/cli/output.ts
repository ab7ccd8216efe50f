import pc from 'picocolors';
import { visibleLine, visibleText } from './visible-text.ts';

/** What is needed of a standard stream. */
interface OutputStream {
  readonly isTTY?: boolean;
  write(content: string | Uint8Array): unknown;
}

/** Standard output carries data, standard error everything else. */
export class Output {
  /** True where a person reads standard output. */
  readonly isTerminal: boolean;
  readonly colors: ReturnType<typeof pc.createColors>;
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;

  constructor(stdout: OutputStream, stderr: OutputStream, environment: NodeJS.ProcessEnv) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.isTerminal = stdout.isTTY === true;
    const wantsColors = !environment['NO_COLOR'] && environment['TERM'] !== 'dumb';
    this.colors = pc.createColors(this.isTerminal && wantsColors);
  }

  /** Data that others made: as it is for a program, harmless for a terminal. */
  foreign(text: string): void {
    this.#stdout.write(this.isTerminal ? visibleText(text) : text);
  }

  /** Data as it is. */
  data(content: string | Uint8Array): void {
    this.#stdout.write(content);
  }

  /** One JSON value in one line. */
  json(value: unknown): void {
    this.#stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A line for the person. */
  note(text: string): void {
    this.#stderr.write(`${visibleLine(text)}\n`);
  }

  /** Lines for the person that others wrote. */
  foreignNote(text: string): void {
    const shown = this.#stderr.isTTY === true ? visibleText(text) : text;
    this.#stderr.write(shown.endsWith('\n') ? shown : `${shown}\n`);
  }

  /** Shows what takes a while, on a terminal only; gone when disposed. */
  progress(text: string): Disposable {
    if (this.#stderr.isTTY !== true) return { [Symbol.dispose]: () => undefined };
    const eraseLine = '\r\u001B[K';
    this.#stderr.write(`${eraseLine}${visibleLine(text)} …`);
    return { [Symbol.dispose]: () => void this.#stderr.write(eraseLine) };
  }
}
