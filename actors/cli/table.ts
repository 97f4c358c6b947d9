/** The server's Table as kubectl prints it: columns padded, three blanks between. */

export interface Table {
  kind: string;
  metadata?: { resourceVersion?: string };
  columnDefinitions: { name: string; type: string; priority: number }[];
  rows: { cells: unknown[]; object?: { metadata: { name: string; namespace?: string } } }[];
}

export interface TableOptions {
  wide: boolean;
  withNamespace: boolean;
  header: boolean;
  /** Put before each name: `pod/`, when several kinds are shown. */
  prefix?: string;
}

/** Rows of text; the first is the header, unless it is left out. */
export function tableLines(table: Table, options: TableOptions): string[] {
  const shown = table.columnDefinitions
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => options.wide || column.priority === 0);
  const rows = table.rows.map(({ cells, object }) => {
    const texts = shown.map(({ column, index }) => {
      const text = cells[index] === undefined || cells[index] === null ? "" : String(cells[index]);
      return column.name === "Name" ? `${options.prefix ?? ""}${text}` : text;
    });
    return options.withNamespace ? [object?.metadata.namespace ?? "", ...texts] : texts;
  });
  if (options.header) {
    const names = shown.map(({ column }) => column.name.toUpperCase());
    rows.unshift(options.withNamespace ? ["NAMESPACE", ...names] : names);
  }
  return alignColumns(rows);
}

function alignColumns(rows: string[][]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row
      .map((cell, index) =>
        index === row.length - 1 ? cell : cell.padEnd((widths[index] ?? 0) + 3),
      )
      .join("")
      .trimEnd(),
  );
}
