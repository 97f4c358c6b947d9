import { describeHalf } from "./seeds.ts";

describeHalf(0);
