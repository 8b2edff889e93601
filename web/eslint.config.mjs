import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import typescript from "typescript-eslint";

export default defineConfig({
  files: ["src/**/*.ts"],
  extends: [js.configs.recommended, typescript.configs.recommendedTypeChecked],
  languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
  rules: {
    eqeqeq: "error",
    curly: ["error", "multi-line"],
    "no-undef": "off", // what there is in a browser, the types know
    "@typescript-eslint/switch-exhaustiveness-check": "error",
  },
});
