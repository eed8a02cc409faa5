import { describe, expect, it } from "vitest";
import { neuronName, numberName, polesOf, short } from "../../src/source/neuron";
import { PageModel } from "../../src/source/page-model";

describe("names of neurons", () => {
  const poles = { raw: 5 };

  it("say which are negative poles", () => {
    const names = [0, 4, 5, 9].map((neuron) => numberName({ layer: "raw", neuron }, poles));
    expect(names).toEqual(["0", "4", "0-", "4-"]);
    expect(neuronName({ layer: "raw", neuron: 7 }, poles)).toBe("raw / 2-");
  });

  it("are numbers in layers without poles, and where the kernel told of none", () => {
    expect(neuronName({ layer: "low", neuron: 7 }, poles)).toBe("low / 7");
    expect(polesOf(new PageModel({}) as any)).toEqual({});
    expect(polesOf(new PageModel({ _poles: poles }) as any)).toEqual(poles);
  });
});

it("writes both signs of a small number alike", () => {
  expect(short(-0.0009)).toBe("−9e−4");
});
