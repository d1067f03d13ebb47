// Reads AsyncAPI documents with the official parser. Errors and warnings make it fail; further remarks are printed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [folder, ...files] = process.argv.slice(2);
const { Parser } = createRequire(`${folder}/`)('@asyncapi/parser');
const names = ['error', 'warning', 'information', 'hint'];
let wrong = files.length === 0;

for (const file of files) {
    const { document, diagnostics } = await new Parser().parse(readFileSync(file, 'utf8'));
    for (const { severity, code, message, path } of diagnostics) {
        console.log(`${file}: ${names[severity]} ${code} at ${path.join('.')}: ${message}`);
    }
    const bad = diagnostics.filter(({ severity }) => severity <= 1).length;
    const found = document ? `${document.channels().length} channels, ${document.operations().length} operations` : 'no document';
    console.log(`${file}: ${found}, ${bad} errors and warnings`);
    wrong ||= !document || bad > 0;
}
process.exitCode = wrong ? 1 : 0;
